"""What views are made of, one widget a file: drawn by the Line API, repainting only cells that changed."""
