"""How a version is made, judged and promoted."""
