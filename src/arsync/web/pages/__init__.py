"""The pages. `pages/<noun>.py` has the views of one noun and its `ROUTES`, `templates/<noun>.html` draws them; a new
page is named in `web/app.py` and nowhere else."""
