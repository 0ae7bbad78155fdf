"""Where the sample world is: its sales regions, as the company's systems spell them, with a climate and a state for holidays."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A sales region: name as it is written in the files, weather city, position, yearly mean and swing of temperature in degC, ZIP prefix."""

    name: str
    city: str
    latitude: float
    longitude: float
    mean_c: float
    swing_c: float
    zip_prefix: str


PLACES = (
    Place("North Texas", "Dallas", 32.8, -96.8, 19.0, 10.0, "752"),
    Place("South Texas", "San Antonio", 29.4, -98.5, 21.0, 8.5, "782"),
    Place("Gulf Coast", "Houston", 29.8, -95.4, 21.0, 8.0, "770"),
    Place("Florida", "Tampa", 27.9, -82.5, 23.0, 6.0, "336"),
    Place("Georgia", "Atlanta", 33.7, -84.4, 17.0, 9.5, "303"),
    Place("Carolinas", "Charlotte", 35.2, -80.8, 16.0, 10.0, "282"),
    Place("Mid-Atlantic", "Baltimore", 39.3, -76.6, 13.0, 11.5, "212"),
    Place("New England", "Boston", 42.4, -71.1, 10.5, 12.0, "021"),
    Place("Ohio", "Columbus", 40.0, -83.0, 11.5, 12.5, "432"),
    Place("Great Lakes", "Chicago", 41.9, -87.6, 10.0, 13.5, "606"),
    Place("Upper Midwest", "Minneapolis", 45.0, -93.3, 7.5, 15.5, "554"),
    Place("Mountain", "Denver", 39.7, -105.0, 10.5, 12.0, "802"),
    Place("Pacific NW", "Seattle", 47.6, -122.3, 11.0, 7.0, "981"),
    Place("Southern California", "Los Angeles", 34.1, -118.2, 18.5, 4.5, "900"),
)
