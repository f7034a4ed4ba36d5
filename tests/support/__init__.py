"""What tests share, one module a concept; conftest.py files hold only fixtures."""
