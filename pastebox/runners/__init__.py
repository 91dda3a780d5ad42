"""One module per server family, behind one contract and one registry."""
