"""Word lists and small fact tables for the demo model's training text.

Written by hand for this project; nothing here is copied from a corpus.
Used by train_demo_text.py and train_demo_stories.py.
"""


def rows(text):
    return [[f.strip() for f in line.split("|")] for line in text.strip().splitlines()]


def words(text):
    return [w.strip() for w in text.replace("\n", " ").split(",") if w.strip()]


# name | lives | eats | says | baby | colour | description | legs
ANIMALS = rows("""
fox|in the forest|mice and berries|yip|a cub|red|a wild animal with red fur and a bushy tail|4
dog|in a house with people|meat and dog food|woof|a puppy|brown|a friendly animal that many people keep as a pet|4
cat|in a house with people|fish and meat|meow|a kitten|grey|a soft pet that likes to sleep and hunt mice|4
cow|on a farm|grass|moo|a calf|brown and white|a large farm animal that gives milk|4
pig|on a farm|corn and vegetables|oink|a piglet|pink|a round farm animal that likes mud|4
sheep|on a farm|grass|baa|a lamb|white|a farm animal with thick wool|4
goat|on a farm or on a mountain|grass and leaves|bleat|a kid|white|a farm animal with horns that climbs well|4
horse|on a farm|grass and hay|neigh|a foal|brown|a large animal that people can ride|4
donkey|on a farm|grass and hay|hee-haw|a foal|grey|an animal with long ears that carries heavy things|4
duck|on a pond|plants and small fish|quack|a duckling|white|a bird that swims on ponds|2
goose|on a pond or a farm|grass and seeds|honk|a gosling|white|a large bird with a long neck|2
hen|on a farm|seeds and worms|cluck|a chick|brown|a farm bird that lays eggs|2
rooster|on a farm|seeds and worms|cock-a-doodle-doo|a chick|red|a farm bird that wakes people in the morning|2
mouse|in a small hole|seeds and cheese|squeak|a pup|grey|a very small animal with a long tail|4
rabbit|in a burrow|grass and carrots|squeak|a bunny|white|a small soft animal with long ears|4
bear|in the forest|berries, fish and honey|growl|a cub|brown|a big strong animal with thick fur|4
wolf|in the forest|meat|howl|a pup|grey|a wild animal that lives in a pack|4
lion|on the grassland|meat|roar|a cub|yellow|a big wild cat with a loud roar|4
tiger|in the jungle|meat|roar|a cub|orange with black stripes|a big wild cat with stripes|4
elephant|on the grassland|leaves and grass|trumpet|a calf|grey|a very big animal with a long trunk|4
giraffe|on the grassland|leaves from tall trees|hum|a calf|yellow and brown|a very tall animal with a long neck|4
zebra|on the grassland|grass|bark|a foal|black and white|an animal like a horse with black and white stripes|4
monkey|in the jungle|fruit and nuts|chatter|an infant|brown|a clever animal that climbs trees|4
frog|in a pond|flies and bugs|croak|a tadpole|green|a small animal that jumps and swims|4
toad|in a garden|bugs and worms|croak|a tadpole|brown|a small animal like a frog with dry skin|4
fish|in the water|small plants and bugs|nothing at all|a fry|silver|an animal that swims and breathes in water|0
shark|in the sea|fish|nothing at all|a pup|grey|a big fish with many sharp teeth|0
whale|in the sea|fish and tiny sea animals|a long song|a calf|blue|a very large animal that lives in the sea|0
dolphin|in the sea|fish|click|a calf|grey|a clever animal that swims in the sea|0
seal|by the cold sea|fish|bark|a pup|grey|an animal that swims well and rests on rocks|0
penguin|in the cold south|fish|honk|a chick|black and white|a bird that swims but cannot fly|2
owl|in a tree|mice|hoot|an owlet|brown|a bird that is awake at night|2
crow|in a tree|seeds and bugs|caw|a chick|black|a clever black bird|2
robin|in a garden|worms|tweet|a chick|brown with a red chest|a small bird with a red chest|2
parrot|in the jungle|nuts and fruit|squawk|a chick|green|a bright bird that can learn words|2
eagle|on a high mountain|fish and small animals|screech|an eaglet|brown|a large bird with sharp eyes|2
swan|on a lake|water plants|honk|a cygnet|white|a large white bird with a long neck|2
pigeon|in the city|seeds and bread|coo|a squab|grey|a common bird in the city|2
bee|in a hive|nectar|buzz|a larva|yellow and black|a small insect that makes honey|6
ant|in a nest in the ground|seeds and sugar|nothing at all|a larva|black|a tiny insect that works very hard|6
butterfly|in a garden|nectar|nothing at all|a caterpillar|many colours|an insect with bright wings|6
spider|in a web|flies|nothing at all|a spiderling|black|a small animal with eight legs that makes a web|8
snail|in a garden|leaves|nothing at all|a baby snail|brown|a slow animal with a shell on its back|0
worm|in the soil|dead leaves|nothing at all|a baby worm|pink|a long thin animal that lives in the soil|0
turtle|by the water|plants and small fish|hiss|a hatchling|green|a slow animal with a hard shell|4
snake|in the grass|mice and eggs|hiss|a snakelet|green|a long animal with no legs|0
crocodile|in a river|fish and meat|growl|a hatchling|green|a large animal with a long mouth and many teeth|4
squirrel|in a tree|nuts|chatter|a kit|red|a small animal with a bushy tail that loves nuts|4
hedgehog|in a garden|worms and bugs|snuffle|a hoglet|brown|a small animal covered in spines|4
badger|in a burrow|worms and roots|grunt|a cub|black and white|a strong animal that digs and comes out at night|4
deer|in the forest|grass and leaves|grunt|a fawn|brown|a gentle animal that runs fast|4
otter|in a river|fish|whistle|a pup|brown|a playful animal that swims in rivers|4
beaver|in a river|bark and leaves|whine|a kit|brown|an animal that cuts trees and builds dams|4
mole|under the ground|worms|squeak|a pup|black|a small animal that digs tunnels|4
bat|in a cave|insects|squeak|a pup|black|a small animal that flies at night|2
camel|in the desert|dry plants|grunt|a calf|light brown|a large animal with a hump that lives in the desert|4
kangaroo|in Australia|grass|cough|a joey|brown|an animal that hops and carries its baby in a pouch|2
panda|in the bamboo forest|bamboo|bleat|a cub|black and white|a black and white bear that eats bamboo|4
koala|in a tree in Australia|leaves|grunt|a joey|grey|a small grey animal that sleeps a lot|4
crab|on the beach|tiny sea animals|click|a baby crab|red|a sea animal with claws that walks sideways|10
hamster|in a cage at home|seeds|squeak|a pup|light brown|a tiny pet that runs in a wheel|4
pony|on a farm|grass and hay|neigh|a foal|brown|a small horse|4
""")
MORE_ANIMALS = words("""kitten, puppy, duckling, lamb, calf, bunny, chick, hippo, rhino, leopard, lizard, octopus,
raccoon, moose, llama, walrus, ladybird, dragonfly, sparrow, woodpecker, magpie, stork, heron, seagull, peacock, turkey,
tortoise, chipmunk, weasel, lobster, jellyfish, starfish, seahorse, caterpillar, cricket, grasshopper, firefly, moth,
dragon, unicorn, dinosaur, griffin, bull, gorilla, flamingo, pelican, cheetah, ferret, lynx, swallow""")
ANIMAL_NAMES = [a[0] for a in ANIMALS]
BOYS = words("""Tom, Ben, Sam, Max, Leo, Jack, Finn, Oscar, Henry, Noah, Adam, Luke, Peter, Paul, Hugo, Felix, Theo, Otto,
Omar, Ravi, Ivan, Carlos, Marco, Kenji, Ali, Emil, Karl, Erik, Milo, Toby, Jamal, Pedro, Simon, Daniel, David, George, Harry,
Oliver, Arthur, Samuel, Victor, Yusuf, Anton, Jonas, Rufus, Bruno, Dexter, Gus, Ned, Billy""")
GIRLS = words("""Anna, Lily, Mia, Emma, Ella, Lucy, Nora, Rosa, Ruby, Sara, Maya, Zoe, Clara, Alice, Daisy, Ivy, Molly, Polly,
Sofia, Elena, Nina, Amina, Leila, Yuki, Mei, Priya, Greta, Heidi, Ingrid, Freya, Hanna, Julia, Laura, Maria, Olivia, Penny,
Rachel, Sally, Tina, Vera, Wendy, Eva, Grace, Hazel, Iris, Jane, Kate, Martha, Betty, Dora""")
PEOPLE = words("""king, queen, prince, princess, knight, farmer, baker, fisherman, sailor, teacher, doctor, painter, gardener,
postman, tailor, miller, shepherd, pirate, wizard, witch, giant, clown, dancer, singer, carpenter, robot, ghost, fairy, elf,
grandmother, grandfather, boy, girl, captain, pilot, astronaut, shoemaker, cook, nurse, librarian, snowman, troll, builder,
soldier, student, woman, man, twin, magician, musician""")
HE_PEOPLE = words("king, prince, fisherman, postman, pirate, wizard, clown, grandfather, boy, snowman, man, shepherd, giant, knight")
SHE_PEOPLE = words("queen, princess, witch, fairy, grandmother, girl, woman, dancer, nurse")
MOVERS = words("""boat, ship, train, bus, car, tractor, truck, plane, kite, balloon, cloud, star, leaf, snowflake, raindrop,
rocket, bicycle, tram, sailboat, paper plane, feather, ball, tugboat, fire engine, wagon, moon, wind, spaceship, submarine, scooter""")
THINGS = words("""lamp, clock, book, key, hat, umbrella, spoon, teapot, cup, chair, table, blanket, pillow, doll, drum, violin,
piano, guitar, flute, bell, candle, basket, box, bag, coat, scarf, sock, shoe, mitten, button, coin, ring, pencil, crayon,
brush, map, letter, lantern, mirror, jar, bottle, bucket, ladder, broom, teddy bear, toy soldier, puzzle, whistle, camera,
telescope, compass, radio, tent, rope, stone, shell, flower, apple, pumpkin, cake, cookie, bench, bridge, window, door, house,
castle, tree, rose, sunflower, suitcase, hammer, mug, plate, necklace, notebook, snow globe, music box, rocking horse, watch""")
LOSABLE = words("""key, hat, ball, doll, scarf, ring, coin, shoe, sock, mitten, book, button, kite, pencil, whistle, bell, map,
letter, watch, basket, umbrella, teddy bear, spoon, drum, blanket, bag, necklace, notebook, glove, lantern, toy car, ticket,
feather, shell, flute, cup, brush, coat, crayon, marble""")
ADJ = words("""little, small, big, brave, kind, shy, happy, sad, clever, old, young, tiny, quiet, lonely, hungry, sleepy, curious,
gentle, funny, proud, grumpy, lazy, friendly, busy, tired, silly, careful, cheerful, polite, lost, strong, slow, fast, patient""")
THING_ADJ = words("""little, small, big, old, new, tiny, shiny, red, blue, green, yellow, golden, silver, broken, lost, magic,
wooden, forgotten, soft, round, dusty, pretty, lonely, brave, quiet, happy, sad, white, purple, striped""")
COLOURS = words("red, blue, green, yellow, white, black, brown, pink, purple, orange, grey, golden, silver")
PLACES = words("""in a deep forest, near a wide river, by the sea, on a green hill, in a small village, at the edge of a town,
under an old oak tree, near a quiet lake, in a sunny valley, on a little farm, beside a tall mountain, in a cosy house,
on a small island, at the end of a long road, near a big meadow, behind a stone wall, in a big garden, by a windmill,
in a busy city, near an old bridge""")
WALKS = words("""the forest, the meadow, the garden, the village, the market, the park, the hill, the river, the old bridge,
the beach, the lake, the field, the mill, the orchard, the valley, the harbour""")
HIDING = words("""under the bed, behind the door, in the tall grass, under a bush, behind the old tree, in the kitchen,
on the stairs, beside the river, near the well, in the barn, under the table, between two stones, on the bridge, in the garden,
under a pile of leaves, inside an old boot, behind the fence, in a bird's nest, at the bottom of a basket, by the garden gate""")
FOODS = words("""an apple, a loaf of bread, some berries, a pot of honey, a piece of cheese, a big cake, a bowl of soup,
some nuts, a carrot, a ripe pear, a cookie, a basket of plums, a slice of pie, some warm milk, a sweet melon, a bag of cherries""")
SKILLS = words("""swim, sing, dance, read, paint, fly a kite, ride a bicycle, bake bread, play the drum, climb trees, skate,
whistle, count to ten, write, cook soup, juggle, sail, jump high, play the flute, tell jokes, tie knots, build a fire""")
FEARS = words("""the dark, thunder, deep water, loud noises, high places, the big bridge, strong wind, the old cave, the night,
being alone, the first day of school, big dogs, spiders, getting lost""")
MAKES = words("""a little house, a boat, a warm blanket, a kite, a big cake, a bridge, a swing, a snowman, a birdhouse, a pot of soup,
a sandcastle, a basket, a raft, a tree house, a garden bench, a pumpkin pie, a wooden chair, a flower crown, a paper lantern""")
SEEDS = words("a bean, a sunflower seed, a pumpkin seed, an apple seed, an acorn, a rose, a tomato seed, a strawberry plant, a carrot seed")

# thing | colour
COLOUR_OF = rows("""
the sky|blue
grass|green
snow|white
milk|white
a banana|yellow
a lemon|yellow
the sun|yellow
a strawberry|red
a tomato|red
blood|red
a cherry|red
coal|black
the night sky|black
chocolate|brown
wood|brown
soil|brown
an orange|orange
a carrot|orange
a pumpkin|orange
a cucumber|green
a leaf|green
a pea|green
salt|white
sugar|white
a cloud|white
the sea|blue
a blueberry|blue
an aubergine|purple
gold|yellow
silver|grey
an elephant|grey
a mouse|grey
a pig|pink
a frog|green
a crow|black
a swan|white
a fire engine|red
paper|white
an egg|white or brown
butter|yellow
honey|golden
a polar bear|white
a flamingo|pink
lettuce|green
rice|white
coffee|brown
the moon|white
a lobster|red
charcoal|black
a daisy|white and yellow
""")
OPPOSITES = rows("""
big|small
hot|cold
up|down
happy|sad
fast|slow
day|night
light|dark
old|young
new|old
open|closed
wet|dry
hard|soft
loud|quiet
high|low
long|short
full|empty
good|bad
left|right
in|out
on|off
near|far
early|late
heavy|light
rich|poor
strong|weak
clean|dirty
thick|thin
wide|narrow
easy|difficult
first|last
black|white
yes|no
begin|end
start|stop
push|pull
give|take
buy|sell
win|lose
love|hate
friend|enemy
true|false
right|wrong
above|below
inside|outside
front|back
top|bottom
deep|shallow
sweet|sour
sharp|blunt
smooth|rough
brave|afraid
asleep|awake
tall|short
summer|winter
morning|evening
north|south
east|west
before|after
always|never
many|few
more|less
remember|forget
find|lose
come|go
laugh|cry
beautiful|ugly
kind|cruel
war|peace
alive|dead
polite|rude
same|different
noisy|quiet
warm|cool
""")
USES = rows("""
a hammer|hit nails
a spoon|eat soup
a knife|cut food
a fork|pick up food
a pencil|write and draw
a pen|write
a key|open a lock
an umbrella|keep the rain off
a clock|tell the time
a lamp|give light
a chair|sit on
a bed|sleep in
a broom|sweep the floor
a saw|cut wood
scissors|cut paper
a cup|drink tea or milk
a kettle|boil water
an oven|bake bread and cakes
a fridge|keep food cold
a ladder|climb up high
a needle|sew clothes
a brush|paint or clean
a comb|make hair tidy
soap|wash our hands
a towel|dry ourselves
a toothbrush|clean our teeth
a bag|carry things
a basket|carry fruit
a boat|travel on water
a car|travel on roads
a train|travel on rails
a plane|travel in the air
a bicycle|ride along the road
a map|find the way
a compass|find north
a camera|take pictures
a telescope|look at the stars
a book|read and learn
a phone|talk to people far away
a computer|work, write and play
a coat|stay warm
a hat|cover the head
gloves|keep our hands warm
shoes|protect our feet
glasses|see better
a mirror|see ourselves
a candle|give a little light
a rope|tie things
a bucket|carry water
a spade|dig holes
a rake|gather leaves
a fence|keep animals in a field
a bridge|cross a river
a bell|make a ringing sound
a drum|make music
a piano|play music
a ball|play games
a kite|fly in the wind
a pillow|rest the head
a blanket|keep warm at night
a plate|put food on
a pan|fry food
a pot|cook soup
a stamp|send a letter
money|buy things
a ruler|measure how long things are
a thermometer|measure how hot it is
a scale|weigh things
a tent|sleep outdoors
a net|catch fish
an axe|chop wood
glue|stick things together
a torch|see in the dark
a window|let in light and air
a door|go in and out of a room
""")
# topic | definition sentence
DEFS = rows("""
the sun|The sun is a star that gives us light and warmth.
the moon|The moon is a big ball of rock that goes around the Earth.
a star|A star is a very hot ball of gas that shines far away in space.
rain|Rain is water that falls from the clouds.
snow|Snow is frozen water that falls from the clouds in winter.
wind|Wind is air that moves.
a cloud|A cloud is made of many tiny drops of water in the sky.
a rainbow|A rainbow is a bow of colours in the sky that we see after rain.
a river|A river is a long stream of water that flows to the sea.
the sea|The sea is a very large body of salt water.
a lake|A lake is a large body of water with land all around it.
a mountain|A mountain is a very high piece of land.
a forest|A forest is a large place with many trees.
a desert|A desert is a dry place with very little rain.
an island|An island is a piece of land with water all around it.
a tree|A tree is a tall plant with a trunk, branches and leaves.
a flower|A flower is the pretty part of a plant that makes seeds.
a seed|A seed is the small part of a plant that grows into a new plant.
ice|Ice is frozen water.
fire|Fire is hot and bright, and it burns things such as wood.
bread|Bread is a food that is made from flour, water and yeast.
cheese|Cheese is a food that is made from milk.
honey|Honey is a sweet food that bees make.
butter|Butter is a soft yellow food that is made from milk.
a school|A school is a place where children learn.
a hospital|A hospital is a place where doctors help sick people.
a library|A library is a place with many books to read.
a farm|A farm is a place where people grow food and keep animals.
a bakery|A bakery is a shop that sells bread and cakes.
a market|A market is a place where people buy and sell things.
a museum|A museum is a place where people look at old and interesting things.
a teacher|A teacher is a person who helps others learn.
a doctor|A doctor is a person who helps sick people.
a farmer|A farmer is a person who grows food and keeps animals.
a baker|A baker is a person who makes bread and cakes.
a pilot|A pilot is a person who flies a plane.
a sailor|A sailor is a person who works on a ship.
a gardener|A gardener is a person who takes care of plants.
a friend|A friend is a person you like and trust.
a family|A family is a group of people who belong together.
music|Music is sound that people make with voices and instruments.
a song|A song is music with words.
a story|A story tells about people and things that happen to them.
a house|A house is a building where people live.
a castle|A castle is a big strong building with thick walls.
a village|A village is a small group of houses in the country.
a city|A city is a large place with many people and buildings.
winter|Winter is the coldest season of the year.
summer|Summer is the warmest season of the year.
spring|Spring is the season when flowers begin to grow.
autumn|Autumn is the season when leaves fall from the trees.
the Earth|The Earth is the planet that we live on.
a planet|A planet is a large round body that goes around a star.
a computer|A computer is a machine that works with numbers, words and pictures.
a robot|A robot is a machine that can do some work by itself.
a language model|A language model is a program that writes text one piece at a time.
a week|A week is a time of seven days.
a year|A year is a time of twelve months.
a triangle|A triangle is a shape with three sides.
a square|A square is a shape with four equal sides.
a circle|A circle is a perfectly round shape.
water|Water is a clear liquid that all living things need.
sleep|Sleep is the rest that our body and mind need at night.
a garden|A garden is a place where people grow flowers and vegetables.
a bicycle|A bicycle is a thing with two wheels that you ride with your feet.
""")
WHY = rows("""
the sky is blue|The sky is blue because the air scatters blue light from the sun.
we sleep|We sleep because our body and mind need rest.
birds fly south|Birds fly south because it is warmer there in winter.
leaves fall|Leaves fall in autumn because the tree rests in the cold months.
it rains|It rains because the drops of water in the clouds become too heavy.
ice melts|Ice melts because it gets warm and turns into water.
we eat|We eat because food gives us energy.
we drink water|We drink water because our body needs it to live.
we wear coats|We wear coats because they keep us warm.
cats purr|Cats often purr because they are happy.
dogs bark|Dogs bark because they want to tell us something.
bees visit flowers|Bees visit flowers because they collect nectar to make honey.
the moon shines|The moon shines because it reflects light from the sun.
plants need sun|Plants need sun because light helps them make food.
we brush our teeth|We brush our teeth because it keeps them clean and healthy.
owls sleep in the day|Owls sleep in the day because they hunt at night.
boats float|Boats float because they are light for the amount of water they push away.
people laugh|People laugh because something is funny or makes them happy.
we wash our hands|We wash our hands because it removes dirt and germs.
birds build nests|Birds build nests because they need a safe place for their eggs.
snow is cold|Snow is cold because it is made of frozen water.
the sea is salty|The sea is salty because rivers carry salt from the rocks into it.
bears sleep in winter|Bears sleep in winter because there is little food to find.
it is dark at night|It is dark at night because our side of the Earth turns away from the sun.
""")
HOWTO = rows("""
make tea|First boil some water. Then pour it over the tea and wait three minutes. Now your tea is ready.
make a sandwich|Take two slices of bread. Put butter and cheese on one slice. Then put the other slice on top.
brush my teeth|Put some toothpaste on a brush. Brush every tooth for two minutes. Then rinse with water.
plant a seed|Put some soil in a pot. Push the seed into the soil and cover it. Then water it every day.
make a snowman|Roll three big balls of snow. Put them on top of each other. Then add a carrot for the nose.
wash my hands|Wet your hands with water. Rub them well with soap. Then rinse and dry them.
boil an egg|Put the egg in boiling water. Wait about seven minutes. Then cool it in cold water.
fall asleep|Turn off the light and lie down. Breathe slowly and think of something calm. Sleep will come soon.
make a friend|Say hello and smile. Ask the other person a question. Listen and be kind.
draw a house|Draw a square first. Put a triangle on top for the roof. Then add a door and two windows.
clean my room|Pick up your toys and clothes. Put your books on the shelf. Then sweep the floor.
make soup|Cut some vegetables. Cook them in a pot of water with a little salt. Stir well and serve it hot.
fly a kite|Go outside on a windy day. Hold the string and run. Let the string out when the kite goes up.
bake a cake|Mix flour, sugar, butter and eggs. Pour it all into a pan. Bake it until it is golden.
make a paper boat|Fold the paper in half. Fold down the corners and turn up the edges. Then open it into a boat.
feed a cat|Put some cat food in a bowl. Put fresh water next to it. Then let the cat eat in peace.
""")
CAPITALS = rows("""
France|Paris
Germany|Berlin
Italy|Rome
Spain|Madrid
England|London
Japan|Tokyo
China|Beijing
Russia|Moscow
Egypt|Cairo
Greece|Athens
Poland|Warsaw
Sweden|Stockholm
Norway|Oslo
Finland|Helsinki
Denmark|Copenhagen
Portugal|Lisbon
Austria|Vienna
Ireland|Dublin
Canada|Ottawa
India|New Delhi
Cuba|Havana
Kenya|Nairobi
Peru|Lima
Hungary|Budapest
the United States|Washington
""")
FACTS = rows("""
how many legs does a spider have|eight|A spider has eight legs.
how many days are in a week|seven|There are seven days in a week.
how many months are in a year|twelve|There are twelve months in a year.
how many days are in a year|365|There are 365 days in a year.
how many hours are in a day|24|There are 24 hours in a day.
how many minutes are in an hour|60|There are 60 minutes in an hour.
how many seconds are in a minute|60|There are 60 seconds in a minute.
how many fingers does a hand have|five|A hand has five fingers.
how many wheels does a car have|four|A car has four wheels.
how many wheels does a bicycle have|two|A bicycle has two wheels.
how many sides does a triangle have|three|A triangle has three sides.
how many sides does a square have|four|A square has four sides.
how many seasons are there|four|There are four seasons in a year.
how many eyes do people have|two|People have two eyes.
what do bees make|honey|Bees make honey.
what do hens lay|eggs|Hens lay eggs.
what do cows give us|milk|Cows give us milk.
where does milk come from|cows|Milk comes from cows.
where do apples grow|trees|Apples grow on trees.
where does the sun rise|east|The sun rises in the east.
where does the sun set|west|The sun sets in the west.
what is frozen water called|ice|Frozen water is called ice.
what is bread made from|flour|Bread is made from flour, water and yeast.
what is cheese made from|milk|Cheese is made from milk.
what is paper made from|wood|Paper is made from wood.
what is glass made from|sand|Glass is made from sand.
what is the biggest animal|whale|The biggest animal is the blue whale.
what is the tallest animal|giraffe|The tallest animal is the giraffe.
what is the fastest land animal|cheetah|The fastest land animal is the cheetah.
what is the largest planet|Jupiter|The largest planet is Jupiter.
which planet do we live on|Earth|We live on the planet Earth.
what is the coldest season|winter|The coldest season is winter.
what is the warmest season|summer|The warmest season is summer.
who flies a plane|pilot|A pilot flies a plane.
who bakes bread|baker|A baker bakes bread.
who helps sick people|doctor|A doctor helps sick people.
who puts out fires|firefighter|A firefighter puts out fires.
who brings letters|postman|A postman brings letters.
what do you wear on your feet|shoes|You wear shoes on your feet.
what do you wear on your head|hat|You wear a hat on your head.
what do you wear on your hands|gloves|You wear gloves on your hands.
what do we see with|eyes|We see with our eyes.
what do we hear with|ears|We hear with our ears.
what do we smell with|nose|We smell with our nose.
what do plants need to grow|water|Plants need water, light and soil to grow.
what melts in the sun|ice|Ice melts in the sun.
what shines at night|moon|The moon and the stars shine at night.
what falls from the clouds|rain|Rain falls from the clouds.
what meal do we eat in the morning|breakfast|We eat breakfast in the morning.
what meal do we eat in the evening|dinner|We eat dinner in the evening.
what is the first month of the year|January|The first month of the year is January.
what is the last month of the year|December|The last month of the year is December.
what is the first day of the week|Monday|The first day of the week is Monday.
what do you do with a book|read|You read a book.
what do you do with a song|sing|You sing a song.
what do caterpillars become|butterflies|Caterpillars become butterflies.
what do tadpoles become|frogs|Tadpoles become frogs.
what colours are on a zebra|black and white|A zebra is black and white.
what is the largest ocean|Pacific|The largest ocean is the Pacific Ocean.
""")
LISTS = {
    "fruits": words("apple, pear, banana, orange, plum, cherry, grape, lemon, peach, melon, strawberry, mango"),
    "vegetables": words("carrot, potato, onion, cabbage, pea, bean, tomato, cucumber, pumpkin, leek, spinach"),
    "animals": ANIMAL_NAMES[:40],
    "farm animals": words("cow, pig, sheep, goat, horse, hen, duck, donkey, goose"),
    "wild animals": words("lion, tiger, bear, wolf, fox, elephant, zebra, giraffe, monkey, deer"),
    "pets": words("dog, cat, hamster, rabbit, parrot, goldfish, pony"),
    "birds": words("owl, crow, robin, parrot, eagle, swan, pigeon, duck, penguin, sparrow, stork"),
    "insects": words("bee, ant, butterfly, fly, beetle, moth, cricket, grasshopper"),
    "sea animals": words("whale, dolphin, shark, seal, crab, lobster, octopus, starfish"),
    "colours": words("red, blue, green, yellow, white, black, brown, pink, purple, orange"),
    "colors": words("red, blue, green, yellow, white, black, brown, pink, purple, orange"),
    "days of the week": words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "months": words("January, February, March, April, May, June, July, August, September, October, November, December"),
    "seasons": words("spring, summer, autumn, winter"),
    "tools": words("hammer, saw, knife, spade, rake, axe, brush, ladder"),
    "toys": words("ball, doll, kite, drum, puzzle, teddy bear, toy car, rocking horse"),
    "drinks": words("water, milk, tea, coffee, juice, lemonade, cocoa"),
    "foods": words("bread, cheese, soup, rice, cake, pie, egg, fish, honey"),
    "clothes": words("hat, coat, scarf, shirt, sock, shoe, glove, dress, sweater"),
    "trees": words("oak, pine, birch, apple tree, willow, maple"),
    "flowers": words("rose, tulip, daisy, sunflower, lily, violet"),
    "musical instruments": words("piano, drum, violin, guitar, flute, trumpet, harp"),
    "vehicles": words("car, bus, train, boat, plane, bicycle, truck, tram"),
    "countries": words("France, Germany, Italy, Spain, Japan, China, Egypt, Greece, Poland, Canada, India"),
    "cities": words("Paris, London, Rome, Berlin, Madrid, Tokyo, Cairo, Vienna, Lisbon"),
    "shapes": words("circle, square, triangle, star, oval, rectangle"),
    "jobs": words("teacher, doctor, farmer, baker, pilot, sailor, cook, painter, nurse"),
    "things in a kitchen": words("pot, pan, spoon, cup, plate, oven, kettle, fridge"),
    "things in a bedroom": words("bed, pillow, blanket, lamp, clock, chair"),
    "things in a garden": words("flower, tree, bench, fence, gate, spade, bush"),
    "planets": words("Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus, Neptune"),
    "parts of the body": words("hand, foot, head, arm, leg, nose, ear, eye, knee"),
    "sports": words("football, tennis, swimming, running, skating, basketball"),
    "rooms": words("kitchen, bedroom, bathroom, living room, hall"),
    "even numbers": words("2, 4, 6, 8, 10, 12"),
    "odd numbers": words("1, 3, 5, 7, 9, 11"),
}
NUMS = words("""zero, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen,
sixteen, seventeen, eighteen, nineteen, twenty""")
TENS = {20: "twenty", 30: "thirty", 40: "forty"}
# smallest to biggest, fastest order, for comparisons
SIZE_ORDER = words("ant, bee, mouse, frog, rabbit, cat, dog, sheep, pig, lion, bear, horse, giraffe, elephant, whale")
SPEED_ORDER = words("snail, turtle, mole, hen, duck, pig, cow, dog, rabbit, horse, cheetah")
UNKNOWN = """who won the election in {y}|what is the population of {place}|who is {name} {sur}|what time is it
what is the weather like today|what is the weather in {place}|what day is it today|how much does a {thing} cost
write a program in Python|write some code for a {thing}|explain quantum physics|explain how a nuclear reactor works
what is the square root of {big}|what is {big} times {big2}|what is {big} divided by {big2}|who was the president in {y}
what happened in {y}|who wrote the book about the {thing}|translate this into French|translate '{thing}' into German
how do I invest my money|what is the stock price today|who won the football game|what is the latest news
solve this equation|what is the meaning of the word '{fake}'|who is the mayor of {place}|what is my phone number
where did I put my {thing}|what will happen tomorrow|how old is {name} {sur}|what is the capital of {fake}
who invented the {thing}|what is the best phone to buy|what medicine should I take|give me legal advice
when was {name} {sur} born|when was {place} founded|how far is {place} from {place2}|how tall is {name} {sur}
what is a {fake}|what did {name} {sur} say|tell me about the history of {place}|tell me about the war of {y}
what does {fake} mean|who directed the film about the {thing}|what is the chemical formula of {fake}|what is the value of pi
summarize the news|how do I fix my {thing}|what is the email of {name}|tell me the lottery numbers|who painted {fake}
how many people live in {place}|what is the longest river in {place}|what year is it|can you browse the internet
how does the stock market work|what is general relativity|explain evolution|what is a black hole made of
who is the king of {place}|what song is number one|how do vaccines work|what is blockchain|what is a prime number
book me a flight to {place}|send an email to {name}|set an alarm for six|play some music|order a pizza
where is {name} now|what am I thinking|what is my favourite {thing}|how many stars are there in the sky"""
UNKNOWN = [u for line in UNKNOWN.splitlines() for u in line.split("|")]
