"""What people and jobs do on the exchange: plain functions, keyword-only, `now` passed in.

They know no HTTP. They refuse by raising `app.errors`, and they flush; the request, job or command commits.
Every read starts from a select that is scoped to who asks.
"""
