"""Tests in a real headless Chromium, and the tools they stand on."""
