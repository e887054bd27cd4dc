"""The tests. Folders mirror the source; see CONTRIBUTING for the layers."""
