"""What knows a framework, a format or a runtime: a folder for each, and the list of all that come with the project"""
