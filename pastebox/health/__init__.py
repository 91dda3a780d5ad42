"""Pure byte codecs of the protocols that a server speaks, and one client over them."""
