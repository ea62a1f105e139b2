"""What a command line sets, beside what the program calls its hyperparameters."""

from mlhub.arguments import of_command, with_arguments, words_of


def test_options_that_are_no_hyperparameters_are_kept_beside_them():
    assert with_arguments({"lr": 0.1}, ["python", "train.py", "--seed", "3"]) == {"lr": 0.1, "seed": 3}


def test_what_the_program_says_counts_more_than_its_command_line():
    argv = ["python", "train.py", "--lr", "0.5", "--model.lr=0.5", "--hidden-dim", "8"]
    assert with_arguments({"lr": 0.1, "model": {"hidden_dim": 16}}, argv) == {"lr": 0.1, "model": {"hidden_dim": 16}}


def test_dotted_options_are_nested_and_the_hyperparameters_left_as_they_were():
    given = {"data": {"size": 8}}
    assert with_arguments(given, ["t", "--data.seed", "2", "--trainer.max_epochs=3"]) == {
        "data": {"size": 8, "seed": 2},
        "trainer": {"max_epochs": 3},
    }
    assert given == {"data": {"size": 8}}


def test_words_without_a_name_are_no_hyperparameters_and_known_all_the_same():
    argv = ["python", "train.py", "coco", "--lr", "0.5", "--seed", "3", "fold-2"]
    assert with_arguments({"lr": 0.5}, argv) == {"lr": 0.5, "seed": 3}
    assert words_of({"lr": 0.5}, argv) == {"argument 1": "train.py", "argument 2": "coco", "argument 3": "fold-2"}


def test_a_flag_of_the_programs_takes_no_word():
    given = {"amp": True, "model": {"use_bias": False}}
    argv = ["t", "--amp", "coco", "--no-use-bias", "flickr", "--cache", "x"]
    assert words_of(given, argv) == {"argument 1": "coco", "argument 2": "flickr"}
    assert with_arguments(given, argv) == given | {"no_use_bias": True, "cache": "x"}


def test_an_option_that_is_given_again_loses_no_value():
    assert of_command(["t", "--set", "lr=1", "--set", "seed=2", "--set=b"]) == {"set": ["lr=1", "seed=2", "b"]}
