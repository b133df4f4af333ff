"""The user's samples: read, flattened to named arrays, described, stored, and put back together."""
