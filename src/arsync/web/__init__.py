"""The desk: pages for people and addresses for vendors. A view parses, calls and renders, as a command does."""
