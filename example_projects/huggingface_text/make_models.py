"""Write two tiny models, as `model.save_pretrained(folder)` writes any: random weights, no network."""

from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}

if __name__ == "__main__":
    BertForSequenceClassification(BertConfig(**SIZES, num_labels=3)).save_pretrained("encoder")
    LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=2, max_position_embeddings=64)).save_pretrained("decoder")
