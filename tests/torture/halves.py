"""In the short form a test that is there for both stores runs on one of them,
which its name decides, but for those that hold most."""
import zlib

import pytest

ON_BOTH = {"test_each_fault_at_a_key_of_its_own",
           "test_messages_come_to_all_harms"}


@pytest.fixture(autouse=True)
def one_store_in_the_short_form(request, torture):
    parameters = getattr(getattr(request.node, "callspec", None), "params", {})
    if (torture.full or "store" not in parameters
            or request.node.originalname in ON_BOTH):
        return
    name = request.node.name.replace(parameters["store"], "")
    chosen = ("sqlite", "postgres")[zlib.crc32(name.encode()) % 2]
    if parameters["store"] != chosen:
        pytest.skip(f"the long form: on {parameters['store']} too")
