"""Keys from a file, a chart for each, a row for each into PostgreSQL: Scrapy,
with a pipeline that stores by psycopg2, COPY in batches."""
import datetime
import json
import sys

import psycopg2
import scrapy
from scrapy.crawler import CrawlerProcess

import arguments
from copying import copy_rows


class PostgresPipeline:
    def __init__(self, dsn):
        self.dsn, self.batch = dsn, []

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler.settings["DSN"])

    def open_spider(self, spider):
        self.connection = psycopg2.connect(self.dsn)

    def process_item(self, item, spider):
        self.batch.append((item["symbol"], item["price"],
                           item["extracted_time"]))
        if len(self.batch) == arguments.BATCH_ROWS:
            self.flush()
        return item

    def flush(self):
        copy_rows(self.connection, self.batch)
        self.batch = []

    def close_spider(self, spider):
        self.flush()
        self.connection.close()


class Charts(scrapy.Spider):
    name = "charts"

    def start_requests(self):
        base = self.settings["BASE"] + arguments.PATH
        for key in arguments.read_keys(self.settings["KEYS"]):
            yield scrapy.Request(base + key + arguments.ASKED,
                                 cb_kwargs={"key": key}, dont_filter=True)

    def parse(self, response, key):
        # Floats as the text that was sent: the price keeps its digits.
        answer = json.loads(response.body, parse_float=str)
        price = answer["chart"]["result"][0]["meta"]["regularMarketPrice"]
        yield {"symbol": key, "price": price, "extracted_time":
               datetime.datetime.now(datetime.timezone.utc)}


def main():
    options = arguments.parse()
    process = CrawlerProcess({
        "BASE": options.url, "KEYS": options.keys, "DSN": options.dsn,
        "ITEM_PIPELINES": {PostgresPipeline: 300},
        "CONCURRENT_REQUESTS": options.concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": options.concurrency,
        "CONCURRENT_ITEMS": options.concurrency,
        "USER_AGENT": arguments.USER_AGENT,
        "DOWNLOAD_TIMEOUT": arguments.TIMEOUT_S,
        # What these requests do not need is switched off, as its manual
        # advises for broad crawls.
        "LOG_LEVEL": "WARNING", "COOKIES_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False, "REDIRECT_ENABLED": False,
        "COMPRESSION_ENABLED": False, "HTTPPROXY_ENABLED": False,
        "LOGSTATS_INTERVAL": 0, "ROBOTSTXT_OBEY": False,
        "REQUEST_FINGERPRINTER_IMPLEMENTATION": "2.7",
        "EXTENSIONS": {"scrapy.extensions.memusage.MemoryUsage": None},
        "SPIDER_MIDDLEWARES": {
            "scrapy.spidermiddlewares.referer.RefererMiddleware": None,
            "scrapy.spidermiddlewares.offsite.OffsiteMiddleware": None},
    })
    crawler = process.create_crawler(Charts)
    process.crawl(crawler)
    process.start()
    if crawler.stats.get_value("finish_reason") != "finished":
        sys.exit(1)


if __name__ == "__main__":
    main()
