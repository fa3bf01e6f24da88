"""Gumroad: products and sales."""
