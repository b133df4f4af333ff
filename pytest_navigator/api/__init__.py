"""The entry without pytest's command line, for scripts and notebooks: `nav.torch.export(model, dataloader)`.

Each function says in a NavConfig what its keywords mean (`arguments`), and `running` runs pytest over a suite of that
model: the same steps, the same progress and summary, the same package.
"""
