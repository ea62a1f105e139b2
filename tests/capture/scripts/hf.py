"""A Hugging Face Trainer with the one line of docs/capture.md."""

import torch
from mlhub_capture import HuggingFaceCallback
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

config = BertConfig(
    vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
    max_position_embeddings=8,
)  # fmt: skip
data = [{"input_ids": torch.arange(4) + n % 3, "labels": n % 2} for n in range(12)]
arguments = TrainingArguments(
    "out", use_cpu=True, num_train_epochs=2, per_device_train_batch_size=2, logging_steps=3, eval_strategy="epoch",
    save_strategy="epoch", load_best_model_at_end=True, report_to="tensorboard", disable_tqdm=True, hub_token="hf_secretsecret",
)  # fmt: skip
Trainer(
    BertForSequenceClassification(config), arguments, train_dataset=data, eval_dataset=data,
    callbacks=[HuggingFaceCallback()],
).train()  # fmt: skip
