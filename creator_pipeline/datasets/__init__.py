"""The figures as others read them: columns in decimal units of a currency, typed by Arrow."""
