"""What a run says to people, and the files that its end leaves beside the package."""
