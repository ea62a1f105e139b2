"""Cross-modal hashing: model, training, evaluation, index, search. Programs: the hub starts but never imports them."""
