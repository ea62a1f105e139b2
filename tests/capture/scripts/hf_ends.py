"""A Hugging Face Trainer whose `train` fails: caught by the script, or on the second of two ranks (`hf_ends.py rank`)."""

import sys

import torch
from mlhub_capture import HuggingFaceCallback
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments

how = sys.argv[1]


class Fails(TrainerCallback):
    def on_step_end(self, args, state, control, **more):
        if state.global_step == 2 and args.process_index == (1 if how == "rank" else 0):
            raise ValueError("the 2nd step")


config = BertConfig(
    vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
    max_position_embeddings=8,
)  # fmt: skip
data = [{"input_ids": torch.arange(4) + n % 3, "labels": n % 2} for n in range(12)]
arguments = TrainingArguments(
    "out", use_cpu=True, num_train_epochs=1, per_device_train_batch_size=1, logging_steps=1, save_strategy="no",
    report_to="none", disable_tqdm=True,
)  # fmt: skip
try:
    Trainer(
        BertForSequenceClassification(config), arguments, train_dataset=data, callbacks=[HuggingFaceCallback(), Fails()]
    ).train()
except ValueError as error:
    if how != "caught":
        raise
    print("caught", error)
