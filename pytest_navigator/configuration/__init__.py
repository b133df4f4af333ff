"""What a user asks for: flags, the ini file and `nav_config`, and what holds for one suite."""
