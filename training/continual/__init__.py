"""From accepted flags to a released model: ``python -m training.retrain`` (docs/retraining.md).

* `training.data.flag_dataset`, `accepted_samples`: read the dataset repo and select what may be learnt
* `views`: crops of those photographs and their embeddings
* `training.models.linear_head`, `new_breed`, `fit_head`: fit the new head, with numpy alone
* `training.export.gate_set`, `significance`, `loss_checks`, `flagged`, `gate`: challenger against champion
* `calibrate`, `memory`, `training.export.replace_head`, `challenger`: write the new bundle
* `release`, `work`: publish it, and report why it was or was not published
* `full`: fine-tune every layer instead, through the training recipes
"""
