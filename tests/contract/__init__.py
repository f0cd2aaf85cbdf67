"""Our API beside the published one."""
