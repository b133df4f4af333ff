"""What is done to a model, step by step, without pytest: each step reads and writes plain data in the workspace."""
