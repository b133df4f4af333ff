"""GPUs and what runs on them: which there are, who has which, and what is bound to one."""
