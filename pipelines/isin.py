"""A program for an exec worker: is this an ISIN, and of which country?

One line in, one line out: {"id": 7, "key": "US0378331005"} is answered by
{"id": 7, "record": {...}}, or by {"id": 7, "error": "...", "retry": false}.
"""
import json
import sys


def is_valid(isin):
    """ISO 6166: letters count as 10 to 35; every other digit, from the right,
    is doubled; the sum of all digits ends in 0."""
    digits = "".join(str(int(letter, 36)) for letter in isin)
    sum_of_all = 0
    for i, digit in enumerate(reversed(digits)):
        sum_of_all += sum(divmod(int(digit) * (1 + i % 2), 10))
    return sum_of_all % 10 == 0


for line in sys.stdin:
    asked = json.loads(line)
    isin = asked["key"]
    if len(isin) == 12 and isin.isascii() and isin.isalnum():
        answer = {"record": {"country": isin[:2], "valid": is_valid(isin)}}
    else:
        answer = {"error": "an ISIN has 12 letters and digits"}
    print(json.dumps({"id": asked["id"], **answer}), flush=True)
