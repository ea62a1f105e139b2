"""The sampler beside a run. To come: it ends at once."""
