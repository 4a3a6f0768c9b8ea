"""Rows into prices, by psycopg2's COPY."""
import io

import arguments

COPY = f"COPY prices ({', '.join(arguments.COLUMNS)}) FROM STDIN"


def copy_rows(connection, rows):
    """Stores (key, price, time) of keys without tabs and backslashes."""
    lines = "".join(f"{key}\t{price}\t{when.isoformat()}\n"
                    for key, price, when in rows)
    with connection.cursor() as cursor:
        cursor.copy_expert(COPY, io.StringIO(lines))
    connection.commit()
