"""What people say and do: one function each, called by the command and by the page. Nothing here prints or asks."""
