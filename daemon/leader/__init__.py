"""Leadership: lease election and renewal, and one term of following the change stream."""
