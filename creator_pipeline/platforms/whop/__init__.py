"""Whop: memberships and payments of an account, from the API to the tables."""
