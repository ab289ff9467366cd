"""From a caption to a wide-spectrum prompt: by rule without network, or by a language model."""
