"""What the tools/convert_* scripts share: reading foreign files, building tubes."""
