"""Cross-modal hashing: model, training, evaluation, index, search. Programs: the hub starts them, never imports them."""
