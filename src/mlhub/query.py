"""The filter language of lists of runs: `status:running tag:x cfg.training.lr>=1e-3 val/map_64>0.5 -name:test`. Pure."""
