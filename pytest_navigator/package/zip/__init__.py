"""The file as a ZIP: safe names, limits, writing it whole or not at all."""
