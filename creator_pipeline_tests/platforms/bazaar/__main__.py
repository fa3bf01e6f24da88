"""``creator-pipeline`` with Bazaar in the list: what a line in ``platforms/__init__.py`` does for a real one."""

from creator_pipeline_tests.platforms.bazaar.registered import register

register()

if __name__ == "__main__":
    from creator_pipeline.cli import main

    main()
