"""`--nav-cache`: what an earlier run has made and checked from the same bytes, for this one."""
