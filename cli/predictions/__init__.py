"""Commands that show predictions or answer them."""
