"""The language model: label coding, serving, and a time limit on its answers."""
