"""What a command line sets, beside what the program calls its hyperparameters."""

from mlhub.arguments import with_arguments


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
