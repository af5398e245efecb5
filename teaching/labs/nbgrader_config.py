"""nbgrader's settings for the labs and the homework: of ``python -m tools.labs``, and of nbgrader's own commands
where they are run in this folder."""

c = get_config()  # noqa: F821 - nbgrader defines it
c.CourseDirectory.course_id = "iadb"
# A cell that runs longer is stopped and gives no points. Give the homework 240: it draws 1,000 digits.
c.Execute.timeout = 60
# Handed in with the homework; nothing of ours may lie over them.
c.Autograde.exclude_overwriting = {"homework": ["weights.safetensors", "weights.json"]}
