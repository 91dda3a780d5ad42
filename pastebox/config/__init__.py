"""From the text of an INI to values: locate, overlay, interpolate, load."""
