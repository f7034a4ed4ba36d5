"""What a person does with each control of each page, a module a page.

`net.Walk` says which control lacks one.
"""
