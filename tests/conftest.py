"""What all tests share: the public fixtures, as users' projects load them."""

pytest_plugins = ["jackstay.testing.plugin"]
