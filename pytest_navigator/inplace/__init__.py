"""`model_navigator.inplace`: where Model Navigator has the names of `nav` for pipelines too."""
