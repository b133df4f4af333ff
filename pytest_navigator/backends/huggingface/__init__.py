"""Models of Hugging Face's transformers: where they come from, what they take, and how a decoder is used."""
