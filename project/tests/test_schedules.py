PATH = "project.common.tasks.canary"
