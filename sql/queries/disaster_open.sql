SELECT cause, since_us, until_us, payload FROM disasters WHERE ended_us = 0;
